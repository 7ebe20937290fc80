"""Files in a GraphQL request, streamed to the storage: https://github.com/jaydenseric/graphql-multipart-request-spec."""

from graphql_api.uploads.body import parsing_gate
from graphql_api.uploads.errors import MultipartError
from graphql_api.uploads.request import StreamedFile, StreamedRequest, parse_multipart

__all__ = ["MultipartError", "StreamedFile", "StreamedRequest", "parse_multipart", "parsing_gate"]
