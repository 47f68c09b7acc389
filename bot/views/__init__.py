"""What people see: types in, Block Kit out. Nothing here asks Slack or the store."""
