package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Part is a part of the database that a process uses, for [Grants].
type Part string

// The parts.
const (
	// PartQueue is the queue, its letters, and the claims of downloads.
	PartQueue Part = "queue"
	// PartTokens are the tokens and the consents.
	PartTokens Part = "tokens"
	// PartHistory is the ledger and the limiter.
	PartHistory Part = "history"
	// PartJoined are the joined activities.
	PartJoined Part = "joined"
)

// rights are what a part needs of a table, or of a sequence.
type rights struct{ of, what string }

const all = "SELECT, INSERT, UPDATE, DELETE"

func (p Part) rights() []rights {
	switch p {
	case PartQueue:
		return []rights{
			{"item", all},
			{"large", all},
			{"sealing", "SELECT, INSERT, UPDATE"},
			{"chunk", "SELECT, INSERT, DELETE"},
			{"staged", "SELECT, INSERT, DELETE"},
			{"staged_list", "SELECT, INSERT, DELETE"},
			{"letter", all},
			{"letter_item", "SELECT, INSERT, DELETE"},
			{"member", all},
			{"share", "SELECT, UPDATE"},
			{"repeat", all},
			{"claim", all},
			{"reserved", "SELECT, UPDATE"},
			{"running", "SELECT, INSERT, DELETE"},
			{"running_since", "SELECT, INSERT"},
			{"item_seq", "USAGE, SELECT, UPDATE"},
			{"repeat_seq", "USAGE"},
			{"body_seq", "USAGE"},
			{"letter_seq", "USAGE"},
			{"member_seq", "USAGE"},
			{"holder_seq", "USAGE"},
		}
	case PartTokens:
		return []rights{
			{"token", all},
			{"consent", "SELECT, INSERT, DELETE"},
			{"token_seq", "USAGE"},
		}
	case PartHistory:
		return []rights{
			{"holder", all},
			{"history", all},
			{"arrival", "SELECT, INSERT, DELETE"},
			{"user_claim", all},
			{"budget", "SELECT, INSERT, UPDATE"},
			{"budget_grant", all},
			{"budget_call", all},
			{"holder_seq", "USAGE"},
			{"turn_seq", "USAGE"},
		}
	case PartJoined:
		return []rights{{"joined", all}, {"sealing", "SELECT, INSERT, UPDATE"}}
	}
	return nil
}

// Grants returns the SQL that gives a role exactly the rights that the parts
// need, or all parts if none is given. An empty schema means [DefaultSchema].
// The role that runs [Migrate] owns the tables and should be a different one:
// processes that face the network need no right to change tables.
func Grants(schema, role string, parts ...Part) (string, error) {
	name, err := schemaName(schema)
	if err != nil {
		return "", err
	}
	if len(parts) == 0 {
		parts = []Part{PartQueue, PartTokens, PartHistory, PartJoined}
	}
	to := pgx.Identifier{role}.Sanitize()
	var b strings.Builder
	fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA {s} TO %s;\nGRANT SELECT ON {s}.meta TO %[1]s;\nGRANT SELECT ON {s}.sealing TO %[1]s;\n", to)
	for _, p := range parts {
		if p.rights() == nil {
			return "", fmt.Errorf("postgres: there is no part %q", string(p))
		}
		for _, r := range p.rights() {
			kind := "TABLE"
			if strings.HasSuffix(r.of, "_seq") {
				kind = "SEQUENCE"
			}
			fmt.Fprintf(&b, "GRANT %s ON %s {s}.%s TO %s;\n", r.what, kind, r.of, to)
		}
	}
	return named(name, b.String()), nil
}
