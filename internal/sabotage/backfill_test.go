package sabotage

// backfillRows are the defences of packages backfill and backfilltest.
func backfillRows() []row {
	return []row{}
}
