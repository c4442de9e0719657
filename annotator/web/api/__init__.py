"""The API: endpoints over plain HTTP, for gradio_client and as MCP tools, with access tokens."""
