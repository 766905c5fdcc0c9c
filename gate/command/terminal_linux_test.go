package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a pseudo-terminal, 90 columns wide.
func openTerminal(t *testing.T) (control, tty *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		snapshottest.Missing(t, "what is shown on a terminal: "+err.Error(), "mount /dev/ptmx")
	}
	t.Cleanup(func() { control.Close() })
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 90}); err != nil {
		t.Fatal(err)
	}
	return control, tty
}

// TestColours: the report on a terminal is coloured, unless NO_COLOR or a dumb
// terminal says no; one in a file never is.
func TestColours(t *testing.T) {
	stored, err := filepath.Abs("../report/testdata/dangerous.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		want    bool
	}{
		"terminal":       {[]string{"TERM=xterm"}, true},
		"NO_COLOR":       {[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		"NO_COLOR empty": {[]string{"TERM=xterm", "NO_COLOR="}, true},
		"dumb":           {[]string{"TERM=dumb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			control, tty := openTerminal(t)
			shown := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(control) // ends with EIO once the other end is closed
				shown <- b
			}()
			var stderr bytes.Buffer
			dir := t.TempDir()
			code := Run(t.Context(), Env{
				Args: []string{"migration-gate", "report", stored, "--format=text", "--format=text=copy.txt"}, Environ: tt.environ, Dir: dir, Stdout: tty, Stderr: &stderr,
			})
			tty.Close()
			out := string(<-shown)
			if code != 0 || !strings.Contains(out, "lock-budget") {
				t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, stderr.String(), out)
			}
			if got := strings.Contains(out, "\x1b["); got != tt.want {
				t.Errorf("colours %v, want %v", got, tt.want)
			}
			file, err := os.ReadFile(filepath.Join(dir, "copy.txt"))
			if err != nil || bytes.Contains(file, []byte("\x1b[")) {
				t.Errorf("the copy in a file has colours, or is missing: %v", err)
			}
		})
	}
}

// TestBars: a terminal that can move its cursor gets bars, any other lines.
func TestBars(t *testing.T) {
	for name, tt := range map[string]struct {
		term    string
		columns uint16
		bars    bool
	}{
		"terminal":     {"xterm", 90, true},
		"dumb":         {"dumb", 90, false},
		"without size": {"xterm", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			control, tty := openTerminal(t)
			if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: tt.columns}); err != nil {
				t.Fatal(err)
			}
			shown := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(control)
				shown <- b
			}()
			a := newApp(Env{Stderr: tty}, config.Env{"TERM": tt.term}, &config.Parsed{}, config.Global{Progress: "auto", LogFormat: "text"})
			a.phase(t.Context(), "restore")()
			a.progress.Close()
			tty.Close()
			out := string(<-shown)
			if !strings.Contains(out, "restore") || strings.Contains(out, "restore: done in") == tt.bars {
				t.Errorf("bars %v wanted, got %q", tt.bars, out)
			}
			if !tt.bars && strings.Contains(out, "\x1b") {
				t.Errorf("escape sequences: %q", out)
			}
		})
	}
}
