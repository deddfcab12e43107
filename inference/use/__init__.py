"""What a model is meant for: which tags of a file say that its picture is none of that, before any network looks."""
