"""Site acceptance: a model tried on labelled films of one department, judged by the rule in its card."""
