"""The export of the log to a SIEM: what happened, in OCSF and in order, with what shows that nothing is missing."""
