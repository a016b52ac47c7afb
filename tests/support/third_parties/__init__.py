"""Third parties to link to: real servers on loopback with TLS, each a process that notes what it is asked."""
