package server

import (
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// young is how old a server may be that this CI job started: the longest that
// a job runs on GitHub's own runners (GitHub Docs, Actions limits), and the
// least that a server in use gets to.
const young = 6 * time.Hour

// judge is the guard: it refuses a server that shows any sign of production,
// unless it is allowed by name. That something is denied has been seen before.
func (p *Provisioner) judge(at address, l looked) error {
	if p.allowed(at) {
		return nil
	}
	signs := p.nameSigns(at)
	mine := p.opt.CI && l.Up > 0 && l.Up <= young && len(signs) == 0 // the job's own service
	if !mine && len(l.Traffic) > 0 {
		signs = append(signs, "has traffic in other databases ("+strings.Join(firstFew(l.Traffic), ", ")+")")
	}
	if l.Up > young {
		switch {
		case p.opt.CI:
			signs = append(signs, fmt.Sprintf("has been up for %s, so this job did not start it", age(l.Up)))
		case len(l.Others) > 0:
			signs = append(signs, fmt.Sprintf("has been up for %s and holds %s", age(l.Up), listed("other database", "other databases", l.Others)))
		}
	}
	if signs = append(signs, l.Signs...); len(signs) > 0 {
		return &refusal{at: at, signs: signs}
	}
	return nil
}

// managed are the names under which providers run databases for others.
var managed = regexp.MustCompile(`(?i)(^|\.)(rds\.amazonaws\.com(\.cn)?|redshift\.amazonaws\.com|dsql\.[\w-]+\.on\.aws|database\.(azure\.com|windows\.net|chinacloudapi\.cn)|` +
	`sql\.goog|alloydb\.goog|supabase\.(co|com)|neon\.(tech|build)|psdb\.cloud|pscale\.com|db\.ondigitalocean\.com|aivencloud\.com|` +
	`timescale\.com|tsdb\.cloud\.timescale\.com|elephantsql\.com|cockroachlabs\.cloud|tidbcloud\.com|render\.com|railway\.app|rlwy\.net|` +
	`crunchybridge\.com|scw\.cloud|rds\.aliyuncs\.com|ondb\.cloud|oraclecloud\.com|databases\.appdomain\.cloud|clever-cloud\.com|xata\.sh|gcp\.cloud\.ovh\.net|skysql\.com|mariadb\.com)\.?$`)

// prodName is a word in a host's name by which people call production.
var prodName = regexp.MustCompile(`(?i)(^|[.\-_0-9])(prod|prd|production|live)([.\-_0-9]|$)`)

// nameSigns are what the address alone gives away. A service container and a
// server on this machine are called by a name without dots or a loopback
// address; in CI also by a private one.
func (p *Provisioner) nameSigns(at address) (signs []string) {
	if isSocket(at.host) {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(at.host), ".")
	switch ip := net.ParseIP(host); {
	case managed.MatchString(host):
		signs = append(signs, "is a managed database by its name")
	case ip != nil:
		if !ip.IsLoopback() && !(p.opt.CI && ip.IsPrivate()) {
			signs = append(signs, "is on another machine ("+host+")")
		}
	case !strings.Contains(host, "."), strings.HasSuffix(host, ".localhost"), strings.HasPrefix(host, "host.docker.") || strings.HasPrefix(host, "host.containers."):
	default:
		signs = append(signs, "is on another machine by its name, which is not a service's or this machine's")
	}
	if prodName.MatchString(host) {
		signs = append(signs, "is called production by its name")
	}
	return signs
}

// allowed by HOST or HOST:PORT, in so many words.
func (p *Provisioner) allowed(at address) bool {
	for _, a := range p.opt.Allow {
		if strings.EqualFold(a, at.host) || strings.EqualFold(a, at.String()) {
			return true
		}
	}
	return false
}

// denied returns the glob that HOST:PORT matches. One without a port is for
// all ports of a host.
func (p *Provisioner) denied(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	for _, d := range p.opt.Deny {
		pattern := strings.ToLower(d)
		for _, s := range []string{hostPort, host} {
			if ok, err := path.Match(pattern, strings.ToLower(s)); s != "" && ok && err == nil {
				return d
			}
		}
	}
	return ""
}

// age in the largest unit that says enough.
func age(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}

// listed is a count, with the first few by name.
func listed(one, many string, names []string) string {
	word := many
	if len(names) == 1 {
		word = one
	}
	return fmt.Sprintf("%d %s (%s)", len(names), word, strings.Join(firstFew(names), ", "))
}

func firstFew(names []string) []string {
	if len(names) > 3 {
		return append(slices.Clone(names[:3]), "…")
	}
	return names
}
