from tests.vector_databases import vector_server  # noqa: F401
