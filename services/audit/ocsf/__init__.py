"""Events as OCSF 1.8.0 has them (Open Cybersecurity Schema Framework). Pure: knows no store, no wire, no key."""
