module github.com/execsvc/execsvc/benchmarks/stub

go 1.25.0
