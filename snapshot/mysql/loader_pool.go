package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/semaphore"

	"github.com/migration-gate/migration-gate/snapshot"
)

func defaultJobs() int { return min(max(2, runtime.NumCPU()), 8) }

const (
	// bigTable is how many bytes of rows make it worth building a table's
	// secondary indexes after its rows are in.
	bigTable = 8 << 20
	// batchSize is up to how much small INSERTs are joined: dump tools write
	// 1 MiB themselves unless told to write a statement for each row.
	batchSize = 1 << 20
	// inFlight is how many bytes of rows wait or load at once.
	inFlight = 128 << 20
)

// pool loads rows over several connections. A dump is read in order, so what
// keeps them all busy is that they load the same table, each its own INSERT.
type pool struct {
	r      *restore
	cancel context.CancelCauseFunc
	jobs   chan job
	budget *semaphore.Weighted
	// busy are the jobs that are not done.
	busy    sync.WaitGroup
	workers sync.WaitGroup
	rows    atomic.Int64

	mu  sync.Mutex
	err error
}

// job is something for any one connection to do.
type job struct {
	do   func(ctx context.Context, w *worker) error
	size int64
	t    *table
}

// worker is one connection and the state of its session.
type worker struct {
	c     *sql.Conn
	state *state
	pool  *pool
}

// table is one whose rows are being loaded.
type table struct {
	schema, name string
	held         []batch // until it shows whether it is big
	heldBytes    int
	big          bool
	// indexes were taken away until the rows are in.
	indexes *indexes

	mu      sync.Mutex
	pending int
	ended   bool
	open    batch // small INSERTs that are being joined
}

// batch is one INSERT, perhaps of several joined ones.
type batch struct {
	state *state
	head  string // up to VALUES
	text  []byte
	parts []part
}

type part struct {
	from int // of its rows in text
	at   where
}

func newPool(ctx context.Context, cancel context.CancelCauseFunc, r *restore) *pool {
	p := &pool{r: r, cancel: cancel, jobs: make(chan job, r.opt.Jobs), budget: semaphore.NewWeighted(inFlight)}
	for range r.opt.Jobs {
		p.workers.Go(func() { p.work(ctx) })
	}
	return p
}

// work runs jobs until there are none. After an error jobs are only counted
// off, so that nobody waits for them.
func (p *pool) work(ctx context.Context) {
	run := func(w *worker, j job) error { return j.do(ctx, w) }
	err := p.r.s.onLoading(ctx, snapshot.FirstInstance, "", p.r.sessionParams(), func(c *sql.Conn) error {
		w := &worker{c: c, pool: p}
		for j := range p.jobs {
			var err error
			if ctx.Err() == nil {
				err = run(w, j)
			}
			if err == nil && j.t != nil {
				err = j.t.done(ctx, w)
			}
			p.budget.Release(j.size)
			p.busy.Done()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // what it was that ended this one
		}
		p.fail(err)
		for j := range p.jobs {
			p.budget.Release(j.size)
			p.busy.Done()
		}
	}
}

func (p *pool) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.cancel(err)
	}
}

// close ends the pool, and tells how many rows were inserted.
func (p *pool) close() (int64, error) {
	close(p.jobs)
	p.workers.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows.Load(), p.err
}

// barrier waits until all rows that were read are in.
func (p *pool) barrier(ctx context.Context) error {
	p.busy.Wait()
	return context.Cause(ctx)
}

func (p *pool) submit(ctx context.Context, j job) error {
	j.size = min(j.size, inFlight)
	if err := p.budget.Acquire(ctx, j.size); err != nil {
		return context.Cause(ctx)
	}
	if j.t != nil {
		j.t.mu.Lock()
		j.t.pending++
		j.t.mu.Unlock()
	}
	p.busy.Add(1)
	p.jobs <- j // somebody takes it, also after an error
	return nil
}

// insert takes one INSERT of the dump; m is the match of insertInto.
func (l *loader) insert(ctx context.Context, text []byte, m [][]byte, at where) error {
	schema, name := l.schema, unquoted(string(m[1]))
	if len(m[2]) > 0 {
		schema, name = name, unquoted(string(m[2]))
	}
	if isSystem(schema) || l.system && len(m[2]) == 0 {
		return nil
	}
	head := len(m[0])
	if len(m[2]) > 0 && l.r.s.guest.is() {
		var err error
		if schema, err = l.r.place(schema); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		into := bytes.Index(text, m[1]) // the first of all names
		rest := text[into+len(m[1]):]
		text = slices.Concat(text[:into], []byte(ident(schema)), rest)
		head = len(text) - len(rest) + head - into - len(m[1])
	}
	if err := l.inSchema(ctx); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if schema == "" {
		schema = l.schema
	}
	st, err := l.current(ctx)
	if err != nil {
		return err
	}
	if t := l.table; t == nil || t.schema != schema || t.name != name {
		if err := l.pool.end(ctx, &l.table); err != nil {
			return err
		}
		l.table = &table{schema: schema, name: name}
	}
	return l.pool.add(ctx, l.table, st, text, head, at)
}

// add joins a small INSERT with those before it, or sends a large one.
func (p *pool) add(ctx context.Context, t *table, st *state, text []byte, head int, at where) error {
	small := len(text) < batchSize/16 && !bytes.Contains(text, []byte("ON DUPLICATE KEY")) && text[len(text)-1] == ')'
	b := &t.open
	if small && len(b.parts) > 0 && b.state == st && len(b.text) < batchSize && string(text[:head]) == b.head {
		b.text = append(b.text, ',')
		b.parts = append(b.parts, part{len(b.text), at})
		b.text = append(b.text, text[head:]...)
		return nil
	}
	if err := p.flush(ctx, t); err != nil {
		return err
	}
	*b = batch{st, string(text[:head]), bytes.Clone(text), []part{{head, at}}}
	if small {
		return nil
	}
	return p.flush(ctx, t)
}

// flush sends what was joined, unless it is still to be seen whether the table
// is big.
func (p *pool) flush(ctx context.Context, t *table) error {
	if len(t.open.parts) == 0 {
		return nil
	}
	b := t.open
	t.open = batch{}
	if t.big {
		return p.send(ctx, t, b)
	}
	t.held = append(t.held, b)
	if t.heldBytes += len(b.text); t.heldBytes < bigTable {
		return nil
	}
	t.big = true
	var err error
	if t.indexes, err = p.r.takeIndexes(ctx, t.schema, t.name); err != nil {
		return err
	}
	return p.release(ctx, t)
}

func (p *pool) release(ctx context.Context, t *table) error {
	held := t.held
	t.held, t.heldBytes = nil, 0
	for _, b := range held {
		if err := p.send(ctx, t, b); err != nil {
			return err
		}
	}
	return nil
}

func (p *pool) send(ctx context.Context, t *table, b batch) error {
	return p.submit(ctx, job{size: int64(len(b.text)), t: t, do: func(ctx context.Context, w *worker) error { return w.insert(ctx, b) }})
}

// end says that a table's rows have all been read.
func (p *pool) end(ctx context.Context, t **table) error {
	if *t == nil {
		return nil
	}
	ended := *t
	*t = nil
	if err := p.flush(ctx, ended); err != nil {
		return err
	}
	if err := p.release(ctx, ended); err != nil {
		return err
	}
	if ended.indexes == nil {
		return nil
	}
	// The last one to be done with a job of the table builds its indexes; this
	// one sees to it that there is a last one.
	ended.mu.Lock()
	ended.ended = true
	ended.mu.Unlock()
	return p.submit(ctx, job{t: ended, do: func(context.Context, *worker) error { return nil }})
}

// done counts a job off; after the last one the indexes are built.
func (t *table) done(ctx context.Context, w *worker) error {
	t.mu.Lock()
	t.pending--
	last := t.ended && t.pending == 0
	t.mu.Unlock()
	if !last || t.indexes == nil || ctx.Err() != nil {
		return nil
	}
	return t.indexes.build(ctx, w.pool.r)
}

// insert runs one batch. What goes wrong in one of several joined statements
// is found by running them one by one.
func (w *worker) insert(ctx context.Context, b batch) error {
	if err := b.state.apply(ctx, w.c, w.state); err != nil {
		return err
	}
	w.state = b.state
	n, err := w.exec(ctx, string(b.text))
	if err == nil {
		w.pool.rows.Add(n)
		return nil
	}
	for i, part := range b.parts {
		end := len(b.text)
		if i+1 < len(b.parts) {
			end = b.parts[i+1].from - 1
		}
		one := b.head + string(b.text[part.from:end])
		if len(b.parts) > 1 {
			if n, err = w.exec(ctx, one); err == nil {
				w.pool.rows.Add(n)
				continue
			}
		}
		return fmt.Errorf("%s: %w", part.at, w.pool.r.explain(one, err))
	}
	return nil
}

// exec runs an INSERT, again where connections got into each other's way.
func (w *worker) exec(ctx context.Context, text string) (int64, error) {
	for try := 0; ; try++ {
		res, err := w.c.ExecContext(ctx, text)
		var my *mysql.MySQLError
		if errors.As(err, &my) && (my.Number == 1213 || my.Number == 1205) && try < 10 {
			continue
		}
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}
}

// analyze gathers statistics of every table, as a server that has lived with
// them has; without, they are guesses made while the rows came in.
func (p *pool) analyze(ctx context.Context, schemas []string) error {
	var tables []string
	err := p.r.s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		for _, s := range schemas {
			names, err := column(ctx, c, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = "+literal(s))
			if err != nil {
				return err
			}
			for _, n := range names {
				tables = append(tables, ident(s, n))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("gather statistics: %w", err)
	}
	return p.r.parallel(ctx, (len(tables)+19)/20, func(ctx context.Context, c *sql.Conn, i int) error {
		some := tables[20*i : min(len(tables), 20*i+20)]
		rows, err := c.QueryContext(ctx, "ANALYZE LOCAL TABLE "+strings.Join(some, ", "))
		if err != nil {
			return fmt.Errorf("gather statistics: %w", err)
		}
		return rows.Close() // what it says of single tables is of no consequence
	})
}
