"""The register: who was seen in which video, and what people know of them."""
