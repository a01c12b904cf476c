"""The life of the process and the machine it runs on; nothing here imports textual by itself."""
