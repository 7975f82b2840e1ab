package sabotage

// sealRows are the defences of the format in which bodies and files are sealed.
func sealRows() []row {
	const (
		pkg    = "./internal/seal"
		box    = "internal/seal/seal.go"
		stream = "internal/seal/stream.go"
	)
	return []row{
		{
			defence: "a nonce counts up",
			file:    box,
			old:     "	binary.BigEndian.PutUint32(counter, next)\n",
			new:     "",
			pkg:     pkg, test: "TestNonces",
		},
		{
			defence: "a nonce's prefix is drawn anew when the counter comes round",
			file:    box,
			old:     "	b.left = next != 0\n",
			new:     "",
			pkg:     pkg, test: "TestNonces",
		},
		{
			defence: "a nonce's prefix is drawn",
			file:    box,
			old:     "		rand.Read(prefix)\n",
			new:     "		_ = rand.Read\n		_ = prefix\n",
			pkg:     pkg, test: "TestNonces",
		},
		{
			defence: "nonces that leave too little to chance are refused",
			file:    box,
			old:     "n < leastNonce {",
			new:     "n < leastNonce && false {",
			pkg:     pkg, test: "TestNonceSize",
		},
		{
			defence: "a sealed record opens only as what it is about",
			file:    box,
			old:     "	out, err := b.aead.Open(dst, record[:n], record[n:], about)",
			new:     "	out, err := b.aead.Open(dst, record[:n], record[n:], about[:1])",
			also:    []edit{{box, "	return b.aead.Seal(dst, dst[at:], text, about)", "	return b.aead.Seal(dst, dst[at:], text, about[:1])"}},
			pkg:     pkg, test: "TestRecord",
		},
		{
			defence: "a sealed chunk is no record",
			file:    box,
			old:     "kindRecord = 'r'",
			new:     "kindRecord = 'c'",
			pkg:     pkg, test: "TestRecord",
		},
		{
			defence: "the last chunk of a stream says so",
			file:    stream,
			old:     "		s.about[numberAt+8] = 1\n",
			new:     "		s.about[numberAt+8] = 0\n",
			pkg:     pkg, test: "TestStreamGuards",
		},
		{
			defence: "the chunks of a stream are numbered",
			file:    stream,
			old:     "	binary.BigEndian.PutUint64(s.about[numberAt:], uint64(number))",
			new:     "	binary.BigEndian.PutUint64(s.about[numberAt:], 0)",
			pkg:     pkg, test: "TestStreamGuards",
		},
		{
			defence: "a chunk belongs to its stream",
			file:    stream,
			old:     "	a := append([]byte{kindChunk}, id[:]...)",
			new:     "	a := append([]byte{kindChunk}, make([]byte, idSize)...)",
			pkg:     pkg, test: "TestStreamGuards",
		},
		{
			defence: "the head of a stream tells another key",
			file:    stream,
			old:     "headAbout(id, about)); err != nil {",
			new:     "headAbout(id, about)); err != nil && false {",
			pkg:     pkg, test: "TestStreamGuards",
		},
		{
			defence: "a stream cannot be cut to nothing",
			file:    stream,
			old:     "	if text == 0 {",
			new:     "	if false {",
			pkg:     pkg, test: "TestStreamGuards",
		},
	}
}
