// One program that is a whole Kubernetes: what it does is its first argument, `kube kubelet --config …`.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

type part struct {
	name string
	make func() *cobra.Command
}

// What there is, in the order in which a cluster starts it, and the tool to look at it.
var parts = []part{
	{"kube-apiserver", apiserver.NewAPIServerCommand},
	{"kube-controller-manager", controllermanager.NewControllerManagerCommand},
	{"kube-scheduler", func() *cobra.Command { return scheduler.NewSchedulerCommand() }},
	{"kubelet", func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }},
	{"kubectl", kubectl.NewDefaultKubectlCommand},
}

func main() {
	if len(os.Args) > 1 {
		called := func(part part) bool { return part.name == os.Args[1] }
		if at := slices.IndexFunc(parts, called); at >= 0 {
			// Each of them takes the first word for its own name.
			os.Args = os.Args[1:]
			os.Exit(cli.Run(parts[at].make()))
		}
	}
	var names []string
	for _, part := range parts {
		names = append(names, part.name)
	}
	fmt.Fprintf(os.Stderr, "the first argument must be one of: %s\n", strings.Join(names, ", "))
	os.Exit(2)
}
