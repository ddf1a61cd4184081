import AttentionCommand

runAttentionCommand()
