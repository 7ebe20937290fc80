"""How often somebody may do something: sign in, sign up, upload, import, start, delete."""
