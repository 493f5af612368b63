package mls

import (
	"syscall/js"
	"time"
)

// cpuTime returns the processor time this process has used, from Node.
func cpuTime() time.Duration {
	u := js.Global().Get("process").Call("cpuUsage")
	return time.Duration(u.Get("user").Int()+u.Get("system").Int()) * time.Microsecond
}
