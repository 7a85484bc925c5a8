-- What was deleted leaves the indexes.
vacuum (index_cleanup on, truncate off) sagad.saga;
