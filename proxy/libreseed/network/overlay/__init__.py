"""Our own Kademlia network of records and claims (docs/protocol.md, 10 and 11). Its datagrams are in
`network.udp`."""
