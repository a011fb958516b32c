"""What is learnt: pure functions from scores and labels to a LossTerm."""
