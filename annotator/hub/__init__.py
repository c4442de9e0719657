"""The Hugging Face Hub: repositories, model versions, Spaces. Nothing here runs unless somebody asks for it."""
