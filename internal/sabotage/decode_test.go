package sabotage

// decodeRows are the defences of the decoder and of the types.
func decodeRows() []row {
	const (
		pkg    = "./notify"
		decode = "notify/decode.go"
		scan   = "internal/jsonscan/scanner.go"
		token  = "internal/jsonscan/token.go"
		object = "internal/jsonscan/object.go"
		window = "types/window.go"
	)
	return []row{
		{
			defence: "F3 a cut body says so at every byte",
			file:    scan,
			old:     "	if err == io.EOF {\n		err = io.ErrUnexpectedEOF\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestDecodeCutAnywhere",
		},
		{
			defence: "F9 an unknown list key is kept",
			file:    decode,
			old:     `	return b.finish(nil, "", errors.New("unknown list key"))` + "\n",
			new:     "	return nil, true\n",
			pkg:     pkg, test: "TestUnrecognizedSaysWhere",
		},
		{
			defence: "F9 an unknown field is told",
			file:    object,
			old:     "		s.opts.UnknownKey(s.pathTo(string(key)))\n",
			new:     "",
			pkg:     pkg, test: "TestUnknownKeys",
		},
		{
			defence: "F9 an unknown activity type passes as it is",
			file:    "activitytype/activitytype.go",
			old:     "		return r.canonical\n	}\n	return t\n",
			new:     "		return r.canonical\n	}\n	return \"\"\n",
			pkg:     "./activitytype", test: "TestUnknownTypePassesThrough",
		},
		{
			defence: "F10 a bad value spoils its item and not the body",
			file:    object,
			old:     "	return s.skip(depth)\n}\n\n// number64",
			new:     "	return s.fatal(s.offset(), errLong)\n}\n\n// number64",
			pkg:     pkg, test: "TestOneBadItemOfFifty",
		},
		{
			defence: "F10 a number is not cut",
			file:    "internal/jsonscan/number.go",
			old:     "		return 0, errInteger\n",
			new:     "		return 30, nil\n",
			pkg:     pkg, test: "TestUnrecognizedSaysWhere",
		},
		{
			defence: "F35 a window has a length",
			file:    window,
			old:     "	case w.Duration() > max:\n",
			new:     "	case false:\n",
			pkg:     "./types", test: "TestWindowCheck",
		},
		{
			defence: "F35 a window is no longer than its limit when it is split",
			file:    window,
			old:     "			end := start.Add(max)\n",
			new:     "			end := start.Add(max + time.Second)\n",
			pkg:     "./types", test: "TestWindowSplitProperties",
		},
		{
			defence: "F35 milliseconds are not taken for seconds",
			file:    window,
			old:     "	case w.End.Unix() >= yearTenThousand:\n",
			new:     "	case false:\n",
			pkg:     "./types", test: "TestWindowCheck",
		},
		{
			defence: "F35 a window has a start after 1970",
			file:    window,
			old:     "	case w.Start.Unix() <= 0:\n",
			new:     "	case false:\n",
			pkg:     "./types", test: "TestWindowCheck",
		},
		{
			defence: "F35 a window ends after its start",
			file:    window,
			old:     "	case !w.End.After(w.Start):\n",
			new:     "	case false:\n",
			pkg:     "./types", test: "TestWindowCheck",
		},
		{
			defence: "T12 an item nests 16 deep at most",
			file:    token,
			old:     "				s.refuse(s.offset(), \"\", true, errDepth)\n",
			new:     "",
			pkg:     pkg, test: "TestUnrecognizedSaysWhere",
		},
		{
			defence: "T12 a body nests 10,000 deep at most",
			file:    token,
			old:     "if depth+open > maxNesting {",
			new:     "if false {",
			pkg:     pkg, test: "TestBrokenBodySaysWhere",
		},
		{
			defence: "T13 the bytes of an item are kept up to a bound",
			file:    "internal/jsonscan/window.go",
			old:     "for w.oldSize > keepRaw && !w.keepAll {",
			new:     "for w.oldSize > 1<<40 && !w.keepAll {",
			pkg:     pkg, test: "TestRaw",
		},
		{
			defence: "T13 a number has a greatest length",
			file:    token,
			old:     "if n > maxNumber {",
			new:     "if false {",
			pkg:     pkg, test: "TestDecodeAgreesWithOracle",
		},
		{
			defence: "T13 list keys are counted up to a bound",
			file:    decode,
			old:     "if len(b.count) < maxKeys {",
			new:     "if true {",
			pkg:     pkg, test: "TestManyKeys",
		},
		{
			defence: "T13 white space is read over and not kept",
			file:    scan,
			old:     "		s.pos = blank(s.buf, s.pos)\n		if s.pos < len(s.buf) {\n			return s.buf[s.pos]\n		}\n		if !s.more() {\n			s.cut()\n			return 0\n		}\n",
			new:     "		i := blank(s.buf, s.pos)\n		if i < len(s.buf) {\n			s.pos = i\n			return s.buf[i]\n		}\n		if !s.more() {\n			s.cut()\n			return 0\n		}\n",
			pkg:     pkg, test: "TestWhiteSpaceIsNotKept",
		},
		{
			defence: "T15 keys match in their letter case",
			file:    "internal/jsonscan/plan.go",
			old:     "	for h := hash(key); x.slot[h] != 0; h++ {\n",
			new:     "	for i, k := range x.keys {\n		if strings.EqualFold(k, string(key)) {\n			return int(x.fld[i]), k\n		}\n	}\n	for h := hash(key); x.slot[h] != 0; h++ {\n",
			pkg:     "./types", test: "TestKeysMatchExactly",
		},
		{
			defence: "T15 nothing may follow a body",
			file:    scan,
			old:     `			return s.fatal(s.offset(), errors.New("data after the end"))` + "\n",
			new:     `			return errors.New("data after the end") != nil` + "\n",
			pkg:     pkg, test: "TestBrokenBodySaysWhere",
		},
		{
			defence: "T15 a missing comma is no JSON",
			file:    "internal/jsonscan/order.go",
			old:     "		if i >= len(b) || b[i] != ',' {\n			return 0, 0\n		}\n		i = blank(b, i+1)\n",
			new:     "		if i < len(b) && b[i] == ',' {\n			i = blank(b, i+1)\n		}\n",
			pkg:     pkg, test: "TestDecodeCommas",
		},
		{
			defence: "T15 every list of a repeated key is read",
			file:    decode,
			old:     "		index := b.count[key]\n",
			new:     "		index, again := b.count[key]\n		if again {\n			b.s.Skip()\n			continue\n		}\n",
			pkg:     pkg, test: "TestDecodeAgreesWithOracle",
		},
		{
			defence: "T15 null is no item",
			file:    scan,
			old:     "	if s.peek() != '{' {\n		if s.err != nil {\n			return false\n		}\n",
			new:     "	if c := s.peek(); c == 'n' {\n		s.empty = true\n		return s.literal(\"null\")\n	} else if c != '{' {\n		if s.err != nil {\n			return false\n		}\n",
			pkg:     pkg, test: "TestUnrecognizedSaysWhere",
		},
		{
			defence: "T15 what is no UTF-8 is replaced",
			file:    token,
			old:     "if escaped || !ascii && !utf8.Valid(b) {",
			new:     "if escaped || !ascii && !utf8.Valid(b) && false {",
			pkg:     pkg, test: "TestDecodeAgreesWithOracle",
		},
		{
			defence: "T15 a control character is no JSON",
			file:    token,
			old:     "		case c < ' ':\n			return nil, s.control(n)\n",
			new:     "",
			pkg:     pkg, test: "TestBrokenBodySaysWhere",
		},
		{
			defence: "T18 a secret is never printed",
			file:    "types/secret.go",
			old:     "	io.WriteString(f, s.String())\n",
			new:     "	io.WriteString(f, string(s))\n",
			pkg:     "./types", test: "TestSecretIsNeverPrinted",
		},
		{
			defence: "T18 a secret is never logged",
			file:    "types/secret.go",
			old:     "	return slog.StringValue(s.String())\n",
			new:     "	return slog.StringValue(string(s))\n",
			pkg:     "./types", test: "TestSecretIsNeverPrinted",
		},
		{
			defence: "T18 a decode error quotes no string",
			file:    scan,
			old:     `		return "a string"` + "\n",
			new:     "		return string(s.buf[s.pos:min(s.pos+40, len(s.buf))])\n",
			pkg:     pkg, test: "TestErrorsHoldNoSecrets",
		},
	}
}
