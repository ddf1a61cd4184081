import AttentionBench

runBenchCommand()
