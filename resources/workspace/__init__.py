"""Links between the Azure ML and the Synapse workspace, and the roles that they need."""
