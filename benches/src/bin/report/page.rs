//! A page: text that is written by hand, with generated parts between marks.

use std::fs;
use std::path::PathBuf;

/// A page whose generated parts can be replaced.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    pub(crate) fn open(path: PathBuf) -> Result<Self, String> {
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, text })
    }

    /// Replaces the text between the marks of this name.
    pub(crate) fn put(&mut self, name: &str, content: &str) -> Result<(), String> {
        let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
        let missing = |mark: &str| format!("{} has no line {mark}", self.path.display());
        let (before, rest) = self.text.split_once(&begin).ok_or_else(|| missing(&begin))?;
        let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
        self.text = format!("{before}{begin}\n\n{}\n\n{end}{after}", content.trim_end());
        Ok(())
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        fs::write(&self.path, &self.text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Page {
        /// Panics unless the file has this text already.
        pub(crate) fn assert_unchanged(&self) {
            let kept = fs::read_to_string(&self.path).unwrap();
            let differing = self.text.lines().zip(kept.lines()).find(|(recorded, kept)| recorded != kept);
            assert!(
                self.text == kept,
                "{} does not show the records; run ./ci/bench.sh page. Recorded, and there: {differing:#?}",
                self.path.display()
            );
        }
    }

    #[test]
    fn only_the_text_between_the_marks_is_replaced() {
        let text = "a\n<!-- begin t -->\nold\n<!-- end t -->\nb".to_owned();
        let mut page = Page { path: PathBuf::from("page"), text };
        page.put("t", "new\n").unwrap();
        assert_eq!(page.text, "a\n<!-- begin t -->\n\nnew\n\n<!-- end t -->\nb");
        assert_eq!(page.put("u", "new").unwrap_err(), "page has no line <!-- begin u -->");
    }
}
