// Package recipes tests docs/recipes.md and config/argocd with what those tools judge
// by: the Lua of Argo CD, and the types, expressions and kstatus of Flux.
package recipes
