"""Who of an account is most like a face: one small port, a scan in memory and an index of PostgreSQL."""
