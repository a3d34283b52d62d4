"""Who belongs to an organization: members and their roles, invitations, and how they are accepted."""
