"""The pure part: decides, never acts. No event loop, no clients, no clock."""
