"""What the network meets: GraphQL over HTTP, files, cookies, headers, health."""
