"""Pure steps of a training: values in, values out."""
