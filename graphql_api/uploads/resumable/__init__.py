"""Uploads that may break off and go on: the tus protocol 1.0, https://tus.io/protocols/resumable-upload."""
