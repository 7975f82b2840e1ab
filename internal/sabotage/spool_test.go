package sabotage

// spoolRows are the defences of the spool.
func spoolRows() []row {
	return []row{}
}
