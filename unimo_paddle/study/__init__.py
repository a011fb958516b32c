"""Many runs of one configuration: variants, each with several seeds, trained, judged and kept in one table."""
