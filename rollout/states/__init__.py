"""Where state contracts are read, and looks at live conversations that go on behind: adapters of `engine.ports`."""
