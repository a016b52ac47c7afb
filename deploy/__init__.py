"""How Valv is put on a machine: configuration, certificates, sandboxes, the operator's commands."""
