package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	_ "modernc.org/sqlite" // the driver "sqlite", pure Go
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a database as ours ("SOTT"), so that somebody else's is
// refused instead of changed.
const applicationID = 0x534f5454

// sqliteStore keeps everything in one file, in WAL mode with synchronous=FULL:
// a commit is on the disk when it returns. Writes go through one goroutine
// ([writer]), reads run beside it on their own connections.
type sqliteStore struct {
	write  *sql.DB
	read   *sql.DB
	writer *writer
}

func openSQLite(ctx context.Context, path string) (Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	if err := prepareFile(abs); err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	write, err := openHandle(abs, 1, "_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	if err := migrate(ctx, write); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	read, err := openHandle(abs, max(2, runtime.NumCPU()), "_pragma=query_only(1)")
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	return &sqliteStore{write: write, read: read, writer: startWriter(write)}, nil
}

// prepareFile makes the folder and the file, readable by nobody else, and
// finds out here, where the error is plain, whether they can be written.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	return f.Close()
}

func openHandle(path string, conns int, option string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	dsn.RawQuery = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&" + option
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

var (
	errForeign = errors.New("the file is a database of another program")
	errNewer   = errors.New("the file was written by a newer version of this program")
	errDamaged = errors.New("the file is damaged: restore it from a backup, or move it away to start empty")
)

// migrate brings the schema up to date, one numbered file after another, each
// in one transaction with the number it leads to.
func migrate(ctx context.Context, db *sql.DB) error {
	var version, application int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return damaged(err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return damaged(err)
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return damaged(err)
	}
	if application != applicationID && (application != 0 || tables != 0) {
		return errForeign
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return damaged(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w (%s)", errDamaged, verdict)
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	if version > len(files) {
		return errNewer
	}
	for i, name := range files[version:] {
		if err := apply(ctx, db, name, version+i+1); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

func damaged(err error) error { return fmt.Errorf("%w (%w)", errDamaged, err) }

func apply(ctx context.Context, db *sql.DB, name string, version int) error {
	script, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	marks := fmt.Sprintf(";PRAGMA user_version = %d; PRAGMA application_id = %d", version, applicationID)
	if _, err := tx.ExecContext(ctx, string(script)+marks); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *sqliteStore) Close() error {
	s.writer.stop()
	return errors.Join(s.read.Close(), s.write.Close())
}
