"""A Tabular Data Stream endpoint in front of the embedded pool, for SQL Server's own drivers.

Source of the formats: [MS-TDS], https://learn.microsoft.com/openspecs/windows_protocols/ms-tds
The layers, from the socket inwards: `transport` (bytes, TLS), `packets` (messages), `login`,
`types` and `columns` (values), `tokens` (answers), `rpc` and `procedures` (calls), `session`
(one connection), `server` (all of them).
"""
