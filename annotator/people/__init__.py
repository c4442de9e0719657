"""Who may do what: accounts and sign-in, OpenID accounts, personal access tokens."""
