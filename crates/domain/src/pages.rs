//! Pages of a listing: where to go on is the sort key of the last item.

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Items after this sort key; from the start when absent.
    pub after: Option<String>,
    /// At most so many items.
    pub limit: u32,
}

impl PageRequest {
    /// How many rows to read so as to know whether there is a next page.
    pub(crate) fn limit_and_one(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts what was read with [`PageRequest::limit_and_one`] to a page.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Page { items, next }
    }

    /// The page of items that were all read, in the order of their keys.
    pub(crate) fn cut_all<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let after = self.after.as_deref();
        let rest =
            items.into_iter().filter(|item| after.is_none_or(|after| key(item).as_str() > after));
        self.cut(rest.collect(), &key)
    }
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The sort key of the last item when there are more.
    pub next: Option<String>,
}
