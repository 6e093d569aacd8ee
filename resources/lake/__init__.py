"""The data lake: files and tables by path; a folder locally, ADLS Gen2 in azure."""
