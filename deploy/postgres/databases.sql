-- Makes the eight databases of Valv, each with a role of its own that can open no other.
-- Run once as a superuser:  psql --file deploy/postgres/databases.sql
-- Then give each role its password:  \password valv_auth   (and so on), the one in its service's password_file.

CREATE ROLE valv_auth LOGIN;
CREATE ROLE valv_auth_keys LOGIN;
CREATE ROLE valv_files LOGIN;
CREATE ROLE valv_files_keys LOGIN;
CREATE ROLE valv_billing LOGIN;
CREATE ROLE valv_audit LOGIN;
CREATE ROLE valv_audit_keys LOGIN;
CREATE ROLE valv_audit_checkpoint LOGIN;

CREATE DATABASE valv_auth OWNER valv_auth;
CREATE DATABASE valv_auth_keys OWNER valv_auth_keys;
CREATE DATABASE valv_files OWNER valv_files;
CREATE DATABASE valv_files_keys OWNER valv_files_keys;
CREATE DATABASE valv_billing OWNER valv_billing;
CREATE DATABASE valv_audit OWNER valv_audit;
CREATE DATABASE valv_audit_keys OWNER valv_audit_keys;
CREATE DATABASE valv_audit_checkpoint OWNER valv_audit_checkpoint;

REVOKE ALL ON DATABASE valv_auth FROM PUBLIC;
REVOKE ALL ON DATABASE valv_auth_keys FROM PUBLIC;
REVOKE ALL ON DATABASE valv_files FROM PUBLIC;
REVOKE ALL ON DATABASE valv_files_keys FROM PUBLIC;
REVOKE ALL ON DATABASE valv_billing FROM PUBLIC;
REVOKE ALL ON DATABASE valv_audit FROM PUBLIC;
REVOKE ALL ON DATABASE valv_audit_keys FROM PUBLIC;
REVOKE ALL ON DATABASE valv_audit_checkpoint FROM PUBLIC;
