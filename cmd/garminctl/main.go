// Command garminctl operates what the packages of this repository hold: it is a
// fake Garmin, tries endpoints, finds what is wrong with a set-up, and looks after
// dead letters, history, tokens and the move to OAuth 2.
//
//	garminctl doctor -endpoint https://me.example.com/garmin -spool inbox -tokens tokens
//	garminctl letters list -admin https://me.example.com/admin -reason timeout
//	garminctl migrate -tokens tokens
//
// # Where it looks
//
// With -admin, or GARMIN_ADMIN, it speaks to the JSON API of a running service,
// package activity/service/admin. With -spool, -tokens and -ledger it opens what a
// stopped service has left: a spool and a ledger belong to one process at a time,
// and a token file may be open in several. With -database it opens the tables of
// module postgres, which a running service may use meanwhile. With -garmin it calls a fake in place
// of Garmin.
//
// # Secrets
//
// No argument is a secret, and no output, error or log holds one. Each is read
// from an environment variable, or from the file that the variable of the same
// name and _FILE names:
//
//	GARMIN_CLIENT_SECRET             of the key that is in use
//	GARMIN_EVALUATION_CLIENT_SECRET  of your other key, for doctor
//	GARMIN_CONSUMER_SECRET           of OAuth 1.0a, for migrate
//	GARMIN_PATH_SECRET               in the path of the endpoint
//	GARMIN_TOKENS_KEY                seals the token file: 16 or 32 bytes, in hex or base64
//	GARMIN_ADMIN_AUTHORIZATION       the header Authorization for the admin API
//	GARMIN_DATABASE_URL              how to connect to PostgreSQL, for -database
//
// # Output
//
// Results go to standard output, all else to standard error: progress, if that is
// a terminal, and the audit log of what was done to letters. With -json a result
// is a JSON object, and a list is an object a line.
//
// # Exit statuses
//
//	0  all is well
//	1  something was found wrong, or was not done for all
//	2  the arguments or the environment are not right
//	3  the work could not be done: nothing answers, or a store is in use
//	4  it was interrupted; what was done stays done, and the same command goes on
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	statusFine = iota
	statusFound
	statusUsage
	statusBroken
	statusInterrupted
)

// errFound says that the result, which is out already, tells of something wrong.
var errFound = errors.New("something was found wrong")

// usageError is an error of who called.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// commands are the arguments of the program.
type commands struct {
	Version kong.VersionFlag `help:"Print the version."`
	JSON    bool             `help:"Print JSON."`

	Fake     fakeCommand     `cmd:"" help:"Be a Garmin for development: API, notifications, OAuth and web tools."`
	Verify   verifyCommand   `cmd:"" help:"Try a running endpoint as Garmin's technical review does."`
	Doctor   doctorCommand   `cmd:"" help:"Find what is wrong with a set-up, and say what to do."`
	Letters  lettersCommand  `cmd:"" help:"Look after dead letters."`
	Tail     tailCommand     `cmd:"" help:"Follow a running service: new dead letters, users whose token is refused, outages."`
	Tokens   tokensCommand   `cmd:"" help:"Show how long tokens last, without the tokens."`
	Backfill backfillCommand `cmd:"" help:"Plan, run and account for the fetching of history."`
	Drift    driftCommand    `cmd:"" help:"Show what Garmin sends and the running service does not know, ready to be pasted into an issue. Status 1 if there is any."`
	Erase    eraseCommand    `cmd:"" help:"Remove all that is kept of a user. Without -yes it is only counted."`
	Export   exportCommand   `cmd:"" name:"export-user" help:"Write all that is kept of a user to a zip with a manifest."`
	Migrate  migrateCommand  `cmd:"" help:"Move users from OAuth 1.0a to OAuth 2, without asking them. It can be stopped and run again."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run carries out the arguments and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("garminctl"),
		kong.Description("Operate what talks to Garmin. Flags take one dash or two; go doc and docs/operation.md tell about secrets and exit statuses."),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "garminctl:", err)
		return statusBroken
	}
	k, err := parser.Parse(twoDashes(args))
	if exited == 0 { // -h or -version
		return statusFine
	}
	if err != nil {
		fmt.Fprintf(stderr, "garminctl: %v; see garminctl -h\n", err)
		return statusUsage
	}
	k.BindTo(ctx, (*context.Context)(nil))
	out := newOutput(stdout, stderr, c.JSON)
	err = k.Run(out)
	out.progress("")
	var usage usageError
	switch {
	case err == nil:
		return statusFine
	case errors.Is(err, errFound):
		return statusFound
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "garminctl: interrupted:", err)
		return statusInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "garminctl:", err)
		return statusUsage
	}
	fmt.Fprintln(stderr, "garminctl:", err)
	return statusBroken
}

// oneDash is a flag as Go's own flags are written.
var oneDash = regexp.MustCompile(`^-[a-z][a-z-]+(=|$)`)

// twoDashes writes -flag as --flag, so that both can be used.
func twoDashes(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		if oneDash.MatchString(a) {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}

// version is that of the module, with the commit if that is known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "garminctl"
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " " + s.Value
		}
	}
	return "garminctl " + info.Main.Version + revision + " " + info.GoVersion
}
