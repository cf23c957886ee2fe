//go:build tools

// Package runc pins the version of runc that the lab's modern engine runs containers with.
package runc

import _ "github.com/opencontainers/runc"
