// FerretDB, a server that speaks MongoDB's protocol, over SQLite: a MongoDB for tests.
//
//	ferretdb <address> <folder>
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/",
	})
	if err != nil {
		log.Fatal(err)
	}
	context, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err := server.Run(context); err != nil {
		log.Fatal(err)
	}
}
