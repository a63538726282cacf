console.log("dmabuf-site");
