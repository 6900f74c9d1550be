"""What gates ask outside: the calendar, webhooks, commands. The decisions are the engine's."""
