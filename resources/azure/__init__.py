"""Azure as such: credential, tokens, refusals and the client of Azure ML."""
