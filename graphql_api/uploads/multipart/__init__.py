"""Files in a GraphQL request, streamed to the storage: https://github.com/jaydenseric/graphql-multipart-request-spec."""

from graphql_api.uploads.multipart.body import parsing_gate
from graphql_api.uploads.multipart.errors import MultipartError
from graphql_api.uploads.multipart.request import StreamedFile, StreamedRequest, parse_multipart

__all__ = ["MultipartError", "StreamedFile", "StreamedRequest", "parse_multipart", "parsing_gate"]
