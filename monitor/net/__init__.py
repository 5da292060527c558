"""The one safety layer: everything that leaves this process goes through here.

`network.Net` is the way in, for probes (`exchange`) and for channels (`client`). Below it, from
the outside in: `redirects` (where a request may be led), `route` (names, vetted addresses, the
socket), `wire` (one connection: proxy, TLS, bytes), `answer` (framing and limits), `coding`
(bounded decoding). Whatever goes wrong is a `failure.Failure`; what was learnt on the way is in a
`trace.Trace`, failure or not.
"""
